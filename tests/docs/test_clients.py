"""The clients that docs/how-to/typed-client.md shows: each prints what `curl` is answered."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.docs.test_pages import blocks
from tests.project import DEV, ROOT
from tests.test_documentation import curl

PAGE = "how-to/typed-client.md"
NODE_MODULES = ROOT / "tests/ui/node_modules"
GO_SOURCES = Path("/usr/share/gocode")
_LATER = {  # Debian's library is older: what the page uses in its place came later
    "grpc.NewClient(": "grpc.Dial(",
    "grpc.WithTransportCredentials(insecure.NewCredentials())": "grpc.WithInsecure()",
    '\t"google.golang.org/grpc/credentials/insecure"\n': "",
}


@pytest.fixture(scope="module")
def expected(client: httpx.Client) -> list[float]:
    """Value, low and high, as the command of README is answered."""
    [command] = re.findall(r"```sh\n(curl http.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    [answer] = curl(client, command)["predictions"]
    return [answer["prediction"], answer["interval"]["low"], answer["interval"]["high"]]


def numbers(folder: Path, *command: str | Path, **environment: str) -> list[float]:
    """What a program printed, run in a folder."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [float(number) for number in done.stdout.split()]


def test_the_client_in_python(client: httpx.Client, grpc_address: str, expected: list[float], tmp_path: Path) -> None:
    generate, [program] = blocks(PAGE, "sh")[0], blocks(PAGE, "python")
    generate = generate.replace("http://127.0.0.1:3000", str(client.base_url).rstrip("/"))
    path = f"{DEV}:{os.environ['PATH']}"
    assert numbers(tmp_path, "bash", "-euc", f"({generate}) >&2", PATH=path) == []
    assert numbers(tmp_path, DEV / "python", "-c", program.replace("127.0.0.1:50051", grpc_address)) == expected


@pytest.mark.slow
def test_the_client_in_typescript(grpc_address: str, expected: list[float], tmp_path: Path) -> None:
    if not (NODE_MODULES / "typescript").exists():
        pytest.skip("TypeScript is not installed; make browser-tools")
    [program] = blocks(PAGE, "typescript")
    (tmp_path / "ask.ts").write_text(program.replace("127.0.0.1:50051", grpc_address))
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    shutil.copy(ROOT / "serving/rpc/protos/flights.proto", tmp_path)
    compiler = NODE_MODULES / "typescript/bin/tsc"
    assert numbers(tmp_path, "node", compiler, "--strict", "--skipLibCheck", "--module", "node16", "ask.ts") == []
    assert numbers(tmp_path, "node", "ask.js") == expected


@pytest.mark.slow
def test_the_client_in_go(grpc_address: str, expected: list[float], tmp_path: Path) -> None:
    if not (shutil.which("protoc-gen-go-grpc") and (GO_SOURCES / "src/google.golang.org/grpc").exists()):
        pytest.skip("Go and its gRPC are not installed; make heavy-tools")
    generate, [program] = blocks(PAGE, "sh")[2], blocks(PAGE, "go")
    for later, earlier in _LATER.items():
        assert later in program
        program = program.replace(later, earlier)
    folder = tmp_path / "src/example.com/ask"
    folder.mkdir(parents=True)
    (folder / "main.go").write_text(program.replace("127.0.0.1:50051", grpc_address))
    shutil.copy(ROOT / "serving/rpc/protos/flights.proto", folder)
    assert numbers(folder, "bash", "-euc", generate) == []
    where = {"GO111MODULE": "off", "GOPATH": f"{tmp_path}:{GO_SOURCES}", "GOCACHE": str(tmp_path / "cache")}
    assert numbers(folder, "go", "build", "-o", "ask", ".", **where) == []
    assert numbers(folder, folder / "ask") == expected
