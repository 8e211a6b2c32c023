"""python -m app."""

from app.cli import main

if __name__ == "__main__":  # not in a worker process, which imports this module, too
    main()
