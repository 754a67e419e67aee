"""`python -m seedream_daemon`."""

from seedream_daemon.cli.main import main

if __name__ == "__main__":
    main()
