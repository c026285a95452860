"""What a lead is and every rule about it: pure, no I/O."""
