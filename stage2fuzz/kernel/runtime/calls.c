/* Calls into pgtable.c and complaints, as the oracles see them. */
#include "record.h"
#include "scheduler.h"

static int is_sparse(int call)
{
	return call == S2_CALL_UNMAP || call == S2_CALL_WRPROTECT || call == S2_CALL_DESTROY ||
	       call == S2_CALL_SPLIT || call == S2_CALL_FLUSH;
}

void s2_call(int call, s2_u64 first, s2_u64 size, s2_u64 argument, int rights)
{
	if (s2_sched.silent)
		return;
	running_thread()->sparse = is_sparse(call);
	running_thread()->call = call;
	s2_record(S2_CALL, (int64_t)first, (int64_t)size, (int64_t)argument,
		  call | rights << S2_CALL_PROT_SHIFT);
}

void s2_return(int call, s2_u64 first, s2_u64 size, s2_s64 result)
{
	if (s2_sched.silent)
		return;
	running_thread()->sparse = running_thread()->call = 0;
	s2_record(S2_RETURN, (int64_t)first, (int64_t)size, result, call);
}

/* Hyp stage 1 refuses a remap with a warning, and means it. */
void s2_warn(int code)
{
	if (code == S2_WARN_OTHER && running_thread()->call == S2_CALL_HYP_MAP)
		code = S2_WARN_HYP_REMAP;
	s2_record(S2_WARN, 0, 0, 0, code);
}
