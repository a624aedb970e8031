"""The tables of HPACK are what tools/hpack_data.py makes, and what another implementation has."""
import os
import sys
import unittest

from hpack import huffman_constants
from hpack.table import HeaderTable

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import hpack_data  # noqa: E402


class HpackDataTest(unittest.TestCase):
    def test_file_is_what_the_tool_makes(self):
        with open(os.path.join(ROOT, "src/http/h2/hpack_data.c"), encoding="utf-8") as file:
            self.assertEqual(file.read(), hpack_data.render())

    def test_code_is_that_of_appendix_b(self):
        lengths = hpack_data.lengths()
        self.assertEqual(lengths, list(huffman_constants.REQUEST_CODES_LENGTH))
        self.assertEqual(hpack_data.codes(lengths), list(huffman_constants.REQUEST_CODES))

    def test_static_table_is_that_of_appendix_a(self):
        self.assertEqual([(name.encode(), value.encode()) for name, value in hpack_data.pairs()],
                         list(HeaderTable.STATIC_TABLE))


if __name__ == "__main__":
    unittest.main()
