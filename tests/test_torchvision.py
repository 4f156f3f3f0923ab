"""The cure for torchvision: it works where it is needed, and is not felt where it is not."""

import subprocess
import sys
import textwrap

import pytest

# A torchvision that fails as the CUDA build does beside a torch without CUDA.
SICK = """
import torch
from . import transforms
counted.append("run")
torch._C._dispatch_has_kernel_for_dispatch_key("torchvision::nms", "Meta")
"""
HEALTHY = "counted.append('run')"
ANOTHER_ERROR = "counted.append('run')\nraise RuntimeError('out of memory')"


def run(code, *paths):
    """Run code in a new Python with these folders first on its path; return what it printed."""
    code = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n" + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def fake(tmp_path):
    """Write a torchvision of our own that counts how often it is run."""

    def write(source):
        package = tmp_path / "torchvision"
        package.mkdir()
        (package / "transforms.py").write_text("")
        counted = "import builtins\ncounted = builtins.__dict__.setdefault('runs', [])\n"
        (package / "__init__.py").write_text(counted + source)
        return tmp_path

    return write


def test_the_packages_that_need_torchvision_can_be_imported():
    assert run("""
        import ddpm_lib
        assert "torchvision" not in sys.modules, "nothing happens before it is asked for"
        import diffusers
        from transformers import CLIPTextModel
        from diffusers import StableDiffusionPipeline
        print("imported")
    """) == ["imported"]


def test_data_sets_and_transforms_work():
    assert run("""
        import ddpm_lib, torch
        from torchvision import datasets
        from torchvision.transforms import v2
        from torchvision.utils import make_grid
        assert datasets.MNIST
        print(*v2.Resize(8)(torch.zeros(1, 4, 4)).shape, *make_grid(torch.zeros(4, 1, 8, 8)).shape)
    """) == ["1", "8", "8", "3", "12", "42"]


def test_a_healthy_torchvision_is_left_alone(fake):
    assert run(
        """
        import ddpm_lib, builtins, torch, torchvision
        print(len(builtins.runs), torch._C._dispatch_has_kernel("torchvision::nms"))
        print(type(torchvision.__spec__.loader).__name__)
        """,
        fake(HEALTHY),
    ) == ["1", "False", "SourceFileLoader"]


def test_a_sick_one_is_cured_and_run_again(fake):
    assert run(
        """
        import ddpm_lib, builtins, torch, torchvision
        print(len(builtins.runs), torch.ops.torchvision.nms is not None)
        print("torchvision.transforms" in sys.modules)
        """,
        fake(SICK),
    ) == ["2", "True", "True"]


def test_without_the_cure_it_is_sick(fake):
    assert (
        run(
            """
        try:
            import torchvision
        except RuntimeError as error:
            print(*str(error).split())
        """,
            fake(SICK),
        )
        == "operator torchvision::nms does not exist".split()
    )


def test_another_error_is_not_ours_to_cure(fake):
    assert run(
        """
        import ddpm_lib, builtins
        try:
            import torchvision
        except RuntimeError as error:
            print(len(builtins.runs), "torchvision" in sys.modules, *str(error).split())
        """,
        fake(ANOTHER_ERROR),
    ) == ["1", "False", "out", "of", "memory"]


def test_installing_twice_installs_once():
    assert run("""
        from ddpm_lib import _torchvision
        _torchvision.install()
        print(sum(type(finder) is _torchvision._Finder for finder in sys.meta_path))
    """) == ["1"]
