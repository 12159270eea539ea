"""``python -m framelens``."""

from framelens.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
