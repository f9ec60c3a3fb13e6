"""``python -m stage2fuzz``: the command line without an installed script."""

from stage2fuzz.cli import main

if __name__ == "__main__":
    main()
