"""What operators change, as typed, frozen models read from conf/. No pyspark here."""
