"""Error correction between the parties: codes, syndrome encoder, decoder, verification."""
