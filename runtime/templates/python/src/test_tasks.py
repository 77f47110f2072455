import unittest

import tasks


class Tasks(unittest.TestCase):
    def test_squares_fit_or_say_so(self):
        self.assertEqual(tasks.square(-12), 144)
        with self.assertRaisesRegex(ValueError, "the square of 50000 does not fit 32 bits"):
            tasks.square(50000)

    def test_words_are_counted(self):
        self.assertEqual(tasks.count_words(b"to be, or\n\tnot  to be"), 6)
        self.assertEqual(tasks.count_words(b" \n"), 0)


if __name__ == "__main__":
    unittest.main()
