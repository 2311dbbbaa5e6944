"""The report of a benchmark: tables, verdicts, and parts that are measured again."""

from benchmarks import report
from benchmarks.report import Section, Target


def test_a_section_says_which_targets_were_reached() -> None:
    targets = [Target("worst", "9 ms", "at most 25 ms", True), Target("share", "0.5", "at least 0.9", False)]
    text = report.rendered(Section("Single rows.", ["server", "rate"], [["ours", "5/s"]], targets), "Today.")
    assert text.splitlines() == [
        "Single rows.",
        "",
        "| server | rate |",
        "| --- | --- |",
        "| ours | 5/s |",
        "",
        "| target | measured | wanted |  |",
        "| --- | --- | --- | --- |",
        "| worst | 9 ms | at most 25 ms | reached |",
        "| share | 0.5 | at least 0.9 | **missed** |",
        "",
        "Today.",
    ]


def test_a_part_that_is_measured_again_takes_its_own_place() -> None:
    order = ["First", "Second", "Third"]
    both = report.merged("", {"Third": "3", "First": "1"}, order)
    assert both == f"{report.HEAD}\n## First\n\n1\n\n## Third\n\n3\n"
    again = report.merged(both, {"Second": "| 2 |\n\nnow", "Third": "4"}, order)
    assert again == f"{report.HEAD}\n## First\n\n1\n\n## Second\n\n| 2 |\n\nnow\n\n## Third\n\n4\n"
