"""A W&B workspace for one group of runs: learning curves, and the results by model and feature set.

Laid out where the package wandb-workspaces is installed, the extra `workspaces` of this one.
"""

from importlib.util import find_spec

from lab.evaluation.measures import ALL, Measures
from lab.tracking.wandb_run import metric_name


def can_lay_out() -> bool:
    """Whether the package is there."""
    return find_spec("wandb_workspaces") is not None


def lay_out(entity: str | None, project: str, group: str, measures: Measures) -> str:
    """Make a workspace of the group's name, and return its address. Each call makes another one.

    `measures` says which numbers it shows, and which of them stand first: the best.
    """
    import wandb
    import wandb_workspaces.reports.v2 as panels  # type: ignore[import-not-found]  # optional
    import wandb_workspaces.workspaces as workspaces  # type: ignore[import-not-found]

    curves = [panels.LinePlot(title=column, x="step", y=[column]) for column in ("valid_loss", "loss")]
    label, lower = measures.lead.label, measures.lead.better == "lower"
    names = {part: metric_name("test", part, measures.leading) for part in measures.slice_names}
    results = [panels.BarPlot(title=f"{label}, {part}", metrics=[metric]) for part, metric in names.items()]
    shown = {"Results": results, "Learning": curves}
    made = workspaces.Workspace(
        entity=entity or str(wandb.Api().default_entity),
        project=project,
        name=group,
        sections=[workspaces.Section(name=name, panels=those, is_open=True) for name, those in shown.items()],
        settings=workspaces.WorkspaceSettings(x_axis="step"),
        runset_settings=workspaces.RunsetSettings(
            filters=f"Metric('Group') == '{group}'",
            order=[workspaces.Ordering(workspaces.Summary(names[ALL]), ascending=lower)],
            groupby=[workspaces.Config("cell/model"), workspaces.Config("cell/features")],
        ),
    )
    return str(made.save().url)
