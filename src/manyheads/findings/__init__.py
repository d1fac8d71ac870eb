"""What a study or a data set shows: values, records, sentences."""
