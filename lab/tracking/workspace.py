"""A W&B workspace for one group of runs: learning curves, and the results by model and feature set.

Laid out where the package wandb-workspaces is installed, the extra `workspaces` of this one.
"""

from importlib.util import find_spec

from lab.evaluation.measures import Measures


def can_lay_out() -> bool:
    """Whether the package is there."""
    return find_spec("wandb_workspaces") is not None


def lay_out(entity: str | None, project: str, group: str, measures: Measures) -> str:
    """Make a workspace of the group's name, and return its address. Each call makes another one.

    `measures` says which numbers it shows.
    """
    import wandb
    import wandb_workspaces.reports.v2 as panels  # type: ignore[import-not-found]  # optional
    import wandb_workspaces.workspaces as workspaces  # type: ignore[import-not-found]

    curves = [panels.LinePlot(title=column, x="step", y=[column]) for column in ("valid_loss", "loss")]
    label, name = measures.lead.label, measures.leading
    results = [
        panels.BarPlot(title=f"{label}, {part}", metrics=[f"test/{part}/{name}"]) for part in measures.slice_names
    ]
    shown = {"Results": results, "Learning": curves}
    made = workspaces.Workspace(
        entity=entity or str(wandb.Api().default_entity),
        project=project,
        name=group,
        sections=[workspaces.Section(name=name, panels=those, is_open=True) for name, those in shown.items()],
        settings=workspaces.WorkspaceSettings(x_axis="step"),
        runset_settings=workspaces.RunsetSettings(
            filters=f"Metric('Group') == '{group}'",
            groupby=[workspaces.Config("cell/model"), workspaces.Config("cell/features")],
        ),
    )
    return str(made.save().url)
