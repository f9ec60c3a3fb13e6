"""What the instrumentation announces: all that may be an entry, and nothing of the stack."""

from stage2fuzz.kernel.announced import without_idle_calls


def test_calls_that_announce_a_place_of_the_stack_or_another_width_go() -> None:
    text = (
        "\tleaq\t32(%rsp), %rdi\n"
        ".Ltmp12:\n"
        "\t.loc\t3 174 2\n"
        "\tcallq\t__sanitizer_cov_store8@PLT\n"
        "\tmovq\t%rbx, %rdi\n"
        "\tcallq\t__sanitizer_cov_load4@PLT\n"
        "\tmovq\t%rbx, 32(%rsp)\n"
    )
    assert without_idle_calls(text) == (
        "\tleaq\t32(%rsp), %rdi\n"
        ".Ltmp12:\n"
        "\t.loc\t3 174 2\n"
        "\tmovq\t%rbx, %rdi\n"
        "\tmovq\t%rbx, 32(%rsp)\n"
    )


def test_what_may_be_an_entry_or_a_flag_of_vncr_is_announced() -> None:
    for line in (
        "\tleaq\t8(%rbx), %rdi\n\tcallq\t__sanitizer_cov_store8@PLT\n",
        "\tmovq\t32(%rsp), %rdi\n\tcallq\t__sanitizer_cov_load8@PLT\n",
        "\tmovq\t%r14, %rdi\n\tcallq\t__sanitizer_cov_load1@PLT\n",
        "\tleaq\t8(%rsp), %rdi\n\tcallq\tkvm_pgtable_walk\n",
    ):
        assert without_idle_calls(line) == line
