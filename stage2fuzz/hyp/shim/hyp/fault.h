/* How EL2 learns of a host's abort: the runtime says where it was. */
#ifndef STAGE2FUZZ_EL2_FAULT_H
#define STAGE2FUZZ_EL2_FAULT_H
bool el2_host_fault(struct kvm_vcpu_fault_info *fault);
#define __get_fault_info(esr, fault) el2_host_fault(fault)
#endif
