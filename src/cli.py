"""The command line of this project: `python src/cli.py --help`."""

from lstm_lm.ui import program


def main() -> None:
    """Run the command. It is imported here, because it needs packages, and a missing one is to be reported in one line."""
    from lstm_lm.commands import app

    app.main()


if __name__ == "__main__":
    program.run(main)
