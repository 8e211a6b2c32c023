"""Links and file names in the documents are valid."""

import re

import pytest

from tests.docs.markdown import PAGES, ROOT, Page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_anchors_exist(page):
    for link in page.links:
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.exists(), link
        assert not anchor or anchor in Page(target).anchors, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page):
    names = re.findall(
        r"\b(?:app|docs|sql|tests|admin-ui)/[\w./-]*\w\.(?:py|md|sql|json|tsx?|yaml)\b", page.text
    )
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_every_document_is_in_the_index():
    index = Page(ROOT / "docs" / "README.md")
    linked = {(index.path.parent / link.partition("#")[0]).resolve() for link in index.links}
    documents = {page.path for page in PAGES if page.name.startswith("docs/")}
    assert documents - linked == {index.path}
