"""Real servers for tests. See README.md."""

from .servers import *  # noqa: F401,F403
from .servers import __all__  # noqa: F401
