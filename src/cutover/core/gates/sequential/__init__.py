"""The sequential judge: an e-process over minutes, what the minutes before teach it, and which rule speaks."""
