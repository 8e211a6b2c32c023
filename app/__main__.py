"""python -m app."""

from app.cli import main

if __name__ == "__main__":  # and not where a worker is begun
    main()
