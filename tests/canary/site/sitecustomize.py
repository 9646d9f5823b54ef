"""Python imports this at its start: it turns all logging on, as whoever looks for a mistake would."""

import logging
import os
import sys
import warnings

if "CANARY_DEBUG" in os.environ:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(name)s %(levelname)s %(message)s %(args)r")
    logging.captureWarnings(True)
    warnings.simplefilter("always")
