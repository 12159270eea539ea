"""``python -m framelens``, and the program that spark-submit runs."""

from framelens.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
