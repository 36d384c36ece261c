"""The command line of this project: `python src/cli.py --help`."""

from lstm_lm.commands import app
from lstm_lm.ui import program

if __name__ == "__main__":
    program.run(app.main)
