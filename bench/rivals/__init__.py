"""The same answers by other engines, written as their own experts would."""
