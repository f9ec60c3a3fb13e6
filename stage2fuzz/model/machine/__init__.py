"""What the model's kernel code runs on: threads, memory, locks, the TLB."""
