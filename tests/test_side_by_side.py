"""`make serve PROBLEM=flights@champion,flights@challenger`: what it names is brought, built and served side by side."""

from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from deploy import asking, golden, probes
from deploy.config import Transport
from tests.generated import Generated, generated
from tests.project import Project, free_port
from tests.serving.rpc.over_grpc import infer_call, message
from tests.training.registry.test_remote_stores import MAKE, with_makefiles
from tests.training.test_pipeline import UP_TO_DATE

BOTH = "flights@champion,flights@challenger"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contested(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose second model was refused. Its model store lacks that one at first."""
    project = trained.copy(tmp_path_factory.mktemp("contested") / "project").uncounted()
    project.change_params({"train": {"rounds": 5}})
    said = project.train()
    assert "flights version 2 is refused: worse: rmse " in said
    assert said.count("worse: rmse ") == 1
    assert "was REFUSED; the lines of `register:` above say why.\nWhat is served is flights:" in said
    with_makefiles(project)
    return project


def tags(project: Project, name: str = "tags") -> list[str]:
    """The exact tags that a run left for building a Bento."""
    return (project.folder / name).read_text().strip().split(",")


def test_what_is_named_is_brought_and_nothing_is_trained_for_it(contested: Project) -> None:
    champion = contested.receipt()["tag"]
    printed = contested.training(f"run {BOTH} --tags tags", "run flights@2,flights@1 --tags turned")
    assert "stage" not in printed
    assert f"run: flights@champion is version 1, {champion}" in printed
    first, second = tags(contested)
    assert first == champion
    assert f"run: flights@challenger is version 2, {second}" in printed
    assert tags(contested, "turned") == [first, second]  # the champion answers where nobody says which
    assert contested.receipt()["tag"] == champion


def test_a_problem_is_trained_beside_a_version(contested: Project) -> None:
    printed = contested.training("run flights@challenger,flights --tags beside", "run flights@2 --tags alone")
    assert printed.index(UP_TO_DATE) < printed.index("run: flights@challenger is version 2")
    challenger, champion = tags(contested, "alone")[0], contested.receipt()["tag"]
    assert tags(contested, "beside") == [champion, challenger]


def test_what_is_not_there_is_said_with_what_is(contested: Project) -> None:
    lists = (
        "flights@9",
        "flights@spring",
        "churn@champion",
        "flights@challenger,flights@2",
        "flights,flights@champion",
    )
    printed = contested.training(*(f"run {one}" for one in lists), "run flights@1 --data fares.csv", fails=True)
    assert "'flights' has no version '9'. There are: 1, 2. Aliases: challenger, champion." in printed
    assert "'flights' has no version 'spring'. There are: 1, 2." in printed
    assert "'churn' has no version 'champion'. There are: none, run `make train PROBLEM=churn`." in printed
    assert "flights@challenger and flights@2 are the same model, flights:" in printed
    assert "flights and flights@champion are the same model, flights:" in printed
    assert "DATA is the table of one problem: say which with PROBLEM=name, without a version." in printed
    assert "has blanks; write it without: PROBLEM=flights,churn." in contested.run(
        *MAKE, "train", "PROBLEM=flights, churn", fails=True
    )


def tensors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as tensors of the Open Inference Protocol in JSON, one a column."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": "BYTES" if isinstance(values[0], str) else "FP64",
            "data": values,
        }
        for name, values in columns.items()
    ]


def agrees(expected: golden.Golden, client: httpx.Client, fares: Generated, channel: Any, place: str) -> None:
    """Ask a version its own golden rows by every protocol, below a path of HTTP's protocols."""
    rows = [dict(row) for row in expected.rows]
    version = place.partition("/versions/")[2]
    answer = client.post(f"/v1/models/{place}:predict", json={"instances": rows}).json()
    assert answer["model_version"] == expected.version
    assert not [wrong for row, one in enumerate(answer["predictions"]) if (wrong := expected.differs(row, one))]
    predictions = [score[0] for score in expected.scores]
    inferred = client.post(f"/v2/models/{place}/infer", json={"inputs": tensors(rows)}).json()
    [named] = [tensor["data"] for tensor in inferred["outputs"] if tensor["name"] == "prediction"]
    assert named == pytest.approx(predictions, rel=1e-9)
    typed = fares.predict(fares.rows(rows), version=version)
    assert typed.model_version == expected.version
    assert [one.prediction for one in typed.predictions] == pytest.approx(predictions, rel=1e-9)
    asked = message(rows)
    asked.model_version = version
    assert infer_call(channel)(asked).model_version == expected.version


def test_champion_and_challenger_answer_beside_each_other(contested: Project, tmp_path: Path) -> None:
    printed = contested.run(*MAKE, "bento", f"PROBLEM={BOTH}")
    bento = (contested.folder / f"stores/bentoml/bento-{BOTH}.tag").read_text().strip()
    assert "stage" not in printed
    assert "bento: building" not in contested.run(*MAKE, "bento", f"PROBLEM={BOTH}")
    champion, challenger = golden.read(str(contested.folder / "stores/bentoml/bentos" / bento.replace(":", "/"))).models
    assert (champion.registry_version, challenger.registry_version) == ("1", "2")
    assert (champion.asked, challenger.asked) == ("", challenger.version)
    port = free_port()
    with (
        contested.serve(bento, tmp_path / "elsewhere", BOXWOOD_GRPC_PORT=str(port)) as client,
        generated(client, f"127.0.0.1:{port}", "flights", tmp_path) as fares,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        described = client.get("/v1/models/flights").json()
        assert described["versions"] == [champion.version, challenger.version]
        for expected, place in (
            (champion, "flights"),
            (champion, f"flights/versions/{champion.version}"),
            (challenger, f"flights/versions/{challenger.version}"),
        ):
            agrees(expected, client, fares, channel, place)
        transports: dict[Transport, str] = {"http": str(client.base_url), "grpc": f"http://127.0.0.1:{port}"}
        for transport, url in transports.items():
            with asking.api(transport, url, None) as api:
                probes.prove(api, [champion, challenger], f"the service over {transport}")  # as a release does
