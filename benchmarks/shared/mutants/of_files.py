"""Faults of claims between processes, of what is on the disk, and of names in what is written."""

from benchmarks.shared.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        name="one-claim",
        claim="Of two processes that claim a cell at once, one alone gets it.",
        file="lab/results/claims.py",
        text="os.O_CREAT | os.O_EXCL | os.O_WRONLY",
        becomes="os.O_CREAT | os.O_WRONLY",
        tests=("tests/results/test_claims.py::test_racing_processes_share_and_inherit_without_overlap",),
    ),
    Mutant(
        name="lease",
        claim="An owner on another host is dead only after a lease without a sign of life.",
        file="lab/results/claims.py",
        text="return now - since >= self._lease",
        becomes="return now - since >= 0",
        tests=("tests/results/test_claims.py::test_another_host_is_dead_only_after_a_lease_without_a_sign_of_life",),
    ),
    Mutant(
        name="process-number-given-anew",
        claim="A process that has a dead owner's number keeps no claim of it.",
        file="lab/results/claims.py",
        text='_started(owner["pid"]) != owner["started"]',
        becomes='not _started(owner["pid"])',
        tests=("tests/results/test_claims.py::test_a_process_number_given_anew_does_not_keep_a_claim",),
    ),
    Mutant(
        name="devices-of-a-folder",
        claim="Two processes on other numbers of CPU devices do not compute into one folder.",
        file="lab/results/claims.py",
        text="if other != self._devices:",
        becomes="if other < 0:",
        tests=("tests/running/test_device_count.py::test_two_that_begin_at_once_on_other_numbers_find_each_other",),
    ),
    Mutant(
        name="file-on-the-disk",
        claim="What is written whole is on the disk before it takes its name.",
        file="lab/core/files.py",
        text="os.fsync(file.fileno())",
        becomes="file.fileno()",
        tests=("tests/core/test_files.py::test_what_is_written_whole_outlives_a_loss_of_power",),
    ),
    Mutant(
        name="folder-on-the-disk",
        claim="What a folder holds is on the disk before a write is said to be done.",
        file="lab/core/files.py",
        text="os.fsync(folder)",
        becomes="os.fstat(folder)",
        tests=("tests/core/test_files.py::test_what_is_written_whole_outlives_a_loss_of_power",),
    ),
    Mutant(
        name="latex-of-a-name",
        claim="No letter of a name is a command of LaTeX.",
        file="lab/core/escape.py",
        text='"\\\\": "\\\\textbackslash{}",',
        becomes="",
        tests=("tests/report/test_names.py::test_no_name_is_a_command_of_latex",),
    ),
    Mutant(
        name="formula-in-a-cell",
        claim="No cell of a CSV file is a formula for a spreadsheet.",
        file="lab/core/escape.py",
        text=r"[=+\-@\t\r]",
        becomes=r"[=+\-\t\r]",
        tests=("tests/report/test_names.py::test_no_cell_of_a_table_is_a_formula_and_every_name_comes_back",),
    ),
    Mutant(
        name="page-of-a-name",
        claim="No letter of a name is markup of the page.",
        file="lab/report/page.py",
        text="autoescape=True",
        becomes="autoescape=False",
        tests=("tests/report/test_names.py::test_the_page_escapes_names",),
    ),
)
