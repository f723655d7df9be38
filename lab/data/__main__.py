"""Describe a log: `python -m lab.data log.csv --user visitor --time ts`."""

import sys

from lab.commands.describe_log import main

sys.exit(main())
