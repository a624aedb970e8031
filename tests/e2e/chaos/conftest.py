"""The chaos tests: /usr/bin/python3 -m pytest -o python_files='chaos_*.py' tests/e2e/chaos"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
