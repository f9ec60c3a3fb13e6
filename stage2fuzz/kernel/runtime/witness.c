/* One plain load, compiled like the user's code: proof that the compiler announces such loads. */
s2_u64 s2_witness(const s2_u64 *entry);

s2_u64 s2_witness(const s2_u64 *entry)
{
	return *entry;
}
