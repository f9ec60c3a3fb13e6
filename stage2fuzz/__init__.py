"""stage2fuzz: fuzzing of concurrent fault schedules of the KVM/arm64 stage-2 page-table engine."""
