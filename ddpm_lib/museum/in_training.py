"""Exhibits of data, schedule, noise and training: what goes wrong before the first sample is drawn."""

from .exhibit import Exhibit, Source

TRAINING = (
    Exhibit(
        name="data-from-zero-to-one",
        title="Data in [0, 1]",
        file="data/digits.py",
        before="x = images.float()[:, None] / 127.5 - 1",
        after="x = images.float()[:, None] / 255",
        tests=("tests/test_data.py::test_offline_digits",),
        sources=(
            Source(
                "labmlai/annotated_deep_learning_paper_implementations",
                None,
                "images go in as `ToTensor()` leaves them",
            ),
            Source("TeaPearce/Conditional_Diffusion_MNIST", None, "the same; its pictures are good all the same"),
        ),
        trial="digits",
    ),
    Exhibit(
        name="schedule-of-another-T",
        title="A schedule that forgets its T",
        file="schedules.py",
        before="t = torch.arange(_check_T(T) + 1, dtype=torch.float64) / T",
        after="t = torch.arange(_check_T(T) + 1, dtype=torch.float64) / 1000",
        tests=("tests/test_schedules.py::test_every_cosine_schedule_ends_in_noise",),
        sources=(
            Source("tanelp/tiny-diffusion", None, "betas made for T = 1000 at T = 50, where 78 % of the data is left"),
            Source("IDEALLab/EngiOpt", 65, "8 % of the variance is left at T = 250, measured by who found it"),
            Source("jannerm/diffuser", 68, "a cosine schedule that counts one step too many; July 2024, open"),
        ),
        trial="short",
    ),
    Exhibit(
        name="squares-for-roots",
        title="Squares for roots",
        file="schedules.py",
        before="root = torch.linspace(math.sqrt(beta_start), math.sqrt(beta_end), _check_T(T), dtype=torch.float64)",
        after="root = torch.linspace(beta_start**2, beta_end**2, _check_T(T), dtype=torch.float64)",
        tests=("tests/test_schedules.py::test_numbers_of_the_papers",),
        sources=(
            Source("huggingface/blog", None, "an early state of The Annotated Diffusion Model; repaired there"),
            Source("lucidrains/DALLE2-pytorch", 141, "the same line in another library; corrected since"),
        ),
        trial="scaled",
    ),
    Exhibit(
        name="rand-for-randn",
        title="rand for randn",
        file="noising.py",
        before="return torch.randn(x.shape, generator",
        after="return torch.rand(x.shape, generator",
        tests=("tests/test_noising.py::test_jump_has_the_moments_of_the_chain",),
        sources=(Source("acids-ircam/diffusion_models", 8, "asked about in December 2022, still open"),),
        trial="points",
    ),
    Exhibit(
        name="root-of-the-wrong-thing",
        title="The root of the wrong thing",
        file="noising.py",
        before="schedule.at(schedule.noise_rate, t, x0) * eps",
        after="schedule.at(schedule.signal_rate, t, x0) * eps",
        tests=("tests/test_noising.py::test_time_zero_is_the_data_itself", "tests/test_oracle.py::test_add_noise"),
        sources=(
            Source(
                "labmlai/annotated_deep_learning_paper_implementations",
                152,
                "√(1 − ᾱ) computed as √ᾱ; repaired in November 2022",
            ),
        ),
        trial="points",
    ),
    Exhibit(
        name="squared-gradient",
        title="loss.backward(loss)",
        file="training.py",
        before="part.backward()",
        after="part.backward(part)",
        tests=("tests/test_training.py::test_a_batch_in_parts_gives_the_same_gradient",),
        sources=(
            Source("tanelp/tiny-diffusion", 3, "asked about for a year, repaired in May 2024"),
            Source("huggingface/diffusion-models-class", None, "unit 1, first notebook: still there when we read it"),
        ),
        trial="points",
    ),
    Exhibit(
        name="last-time-never-trained",
        title="The time that is never trained",
        file="losses.py",
        before="t = torch.randint(1, schedule.T + 1, (len(x0),), generator=generator,",
        after="t = torch.randint(1, schedule.T, (len(x0),), generator=generator,",
        tests=("tests/test_losses.py::test_times_are_drawn_from_1_to_T",),
        sources=(
            Source(
                "cloneofsimo/minDiffusion", None, "`superminddpm.py` has it, the larger `mindiffusion/ddpm.py` does not"
            ),
        ),
        trial="coarse",
    ),
    Exhibit(
        name="inverted-clamp",
        title="min-SNR, upside down",
        file="losses.py",
        before="return torch.minimum(torch.ones_like(schedule.snr), gamma / schedule.snr)",
        after="return torch.maximum(torch.ones_like(schedule.snr), gamma / schedule.snr)",
        tests=("tests/test_losses.py::test_weights",),
        sources=(
            Source("lucidrains/recurrent-interface-network-pytorch", 11, "found and repaired in March 2023"),
            Source("lucidrains/denoising-diffusion-pytorch", 363, "one more copy, repaired in February 2026"),
        ),
        trial="weighted",
    ),
    Exhibit(
        name="average-without-ramp",
        title="The average that remembers its birth",
        file="training.py",
        before="update_ema(ema, model, min(ema_decay, (step + 1) / (step + 11)))",
        after="update_ema(ema, model, ema_decay)",
        tests=("tests/test_training.py::test_ramped_average_forgets_the_random_start",),
        sources=(
            Source("openai/improved-diffusion", 59, "loss 0.03 after 10,000 steps, and the samples are noise"),
            Source("konpatp/diffae", 16, "FID 450 from the average against 76 without it, after 8,000 steps"),
        ),
        trial="points",
    ),
)
