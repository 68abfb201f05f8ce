"""Files of the laboratory and designs: what comes in and goes out, whoever recorded the rounds."""
