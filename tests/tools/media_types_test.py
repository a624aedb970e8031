"""The table of media types is what tools/media_types.py makes of the mime-db that is pinned."""
import json
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import media_types  # noqa: E402


def load(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return json.load(file)


class MediaTypesTest(unittest.TestCase):
    def test_table_is_made_from_the_pinned_database(self):
        version = load("tests", "npm", "package.json")["dependencies"]["mime-db"]
        database = load("build", "npm", "node_modules", "mime-db", "db.json")
        with open(os.path.join(ROOT, "src/http/fields/media_type_table.c"), encoding="utf-8") as file:
            self.assertEqual(file.read(), media_types.render(database, version))

    def test_better_sources_win_and_overrides_win_over_all(self):
        table = media_types.extensions({
            "a/apache": {"source": "apache", "extensions": ["x", "mp4"]},
            "b/iana": {"source": "iana", "extensions": ["x"]},
            "c/none": {"extensions": ["x", "y"]},
        })
        self.assertEqual((table["x"], table["y"], table["mp4"]), ("b/iana", "c/none", "video/mp4"))

    def test_what_is_unknown_is_not_compressed(self):
        self.assertEqual(
            [name for name in media_types.shrinking({
                media_types.UNKNOWN: {"compressible": True}, "a/b+json": {"compressible": True},
                "a/b": {"compressible": True}}) if name not in media_types.SHRINKS], ["a/b"])


if __name__ == "__main__":
    unittest.main()
