"""The style of the listing page in C is what tools/listing_style.py makes of its sources."""
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import listing_style  # noqa: E402


class ListingStyleTest(unittest.TestCase):
    def test_file_is_made_from_its_sources(self):
        with open(os.path.join(ROOT, "src/handlers/files/files_listing_style.c"), encoding="utf-8") as file:
            self.assertEqual(file.read(), listing_style.render())

    def test_long_lines_are_cut_and_quotes_escaped(self):
        self.assertEqual(listing_style.literal('a"\\\n' + "b" * 81),
                         '    "a\\"\\\\\\n"\n    "' + "b" * 80 + '"\n    "b"')


if __name__ == "__main__":
    unittest.main()
