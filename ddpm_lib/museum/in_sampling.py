"""Exhibits of networks, samplers and guidance: what goes wrong with a loss that looks well."""

from .exhibit import Exhibit, Source

SAMPLING = (
    Exhibit(
        name="softmax-over-the-queries",
        title="Softmax over the wrong axis",
        file="models/layers.py",
        before="y = F.scaled_dot_product_attention(q, k, v)",
        after="y = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-2) @ v",
        tests=("tests/test_layers.py::test_attention_equals_the_plain_one[1-layout0]",),
        sources=(
            Source(
                "labmlai/annotated_deep_learning_paper_implementations",
                146,
                "eleven months, until September 2022; who found it measured the same FID with and without",
            ),
        ),
        trial="digits",
    ),
    Exhibit(
        name="one-channel-a-group",
        title="One channel a group",
        file="models/layers.py",
        before="while groups > 1 and channels // groups < 3:",
        after="while groups > 1 and channels // groups < 1:",
        tests=("tests/test_models.py::test_normalization_keeps_what_the_time_has_added",),
        sources=(
            Source(
                "huggingface/diffusion-models-class",
                None,
                "unit 2 builds `UNet2DModel` with widths of 32, 64 and 64 and the default of 32 groups: blind to the"
                " time in its first level; so in commit 341ae2f7",
            ),
        ),
        trial="digits",
    ),
    Exhibit(
        name="time-in-another-unit",
        title="Time in another unit",
        file="models/mlp.py",
        before="time = time_features(t * (1000 / self.T), 32, max_period=1000.0)",
        after="time = time_features(t / self.T, 32, max_period=1000.0)",
        tests=("tests/test_models.py::test_the_times_of_an_mlp_are_spread_over_its_features",),
        sources=(
            Source("ArchiMickey/Just-a-DiT", 9, "features made for t up to 1000 were given t up to 1; October 2025"),
        ),
        trial="points",
    ),
    Exhibit(
        name="tables-left-behind",
        title="Tables left on the CPU",
        file="schedules.py",
        before="return values.to(like.device, like.dtype, non_blocking=True)",
        after="return values.to(like.dtype)",
        tests=("tests/test_schedules.py::test_at_goes_where_the_data_is",),
        sources=(
            Source("explainingai-code/DDPM-Pytorch", 5, "March 2024, with a repair by who asked"),
            Source("mattroz/diffusion-ddpm", 5, "February 2026, on Colab"),
        ),
        trial=None,
    ),
    Exhibit(
        name="noise-at-the-last-step",
        title="Noise at the last step",
        file="samplers.py",
        before='if variance == "beta" and s > 0:',
        after='if variance == "beta":',
        tests=("tests/test_oracle.py::test_ddpm_whole_chain[False-beta-fixed_large]",),
        sources=(
            Source(
                "labmlai/annotated_deep_learning_paper_implementations",
                None,
                "`p_sample` of its DDPM knows no last step; still so when we read it",
            ),
            Source("udlbook/udlbook", None, "notebook 18.4 asks `if t > 0` in a loop where it always is"),
        ),
        trial="ancestral",
    ),
    Exhibit(
        name="ddim-variance",
        title="DDIM's variance, one factor short",
        file="samplers.py",
        before="variance = eta**2 * float(step_variance(schedule, t, s)) * (1 - abar_s) / (1 - abar_t) if eta > 0",
        after="variance = eta**2 * (1 - abar_s) / (1 - abar_t) if eta > 0",
        tests=("tests/test_samplers.py::test_ddim_with_eta_one_on_all_times_is_ddpm",),
        sources=(
            Source(
                "jsboige/CoursIA",
                16158,
                "a review saw the direction term clamped to zero on 19 of 19 steps; September 2026",
            ),
        ),
        trial="noisy ddim",
    ),
    Exhibit(
        name="noise-not-told-again",
        title="Clipped, and the noise not told",
        file="denoisers.py",
        before="""# The noise is told again from the clipped data: the two views must stay one guess.
        return guess_from("x0", x0, self.schedule, xt, t)""",
        after="return Guess(x0, self.denoise(xt, t).eps)",
        tests=("tests/test_denoisers.py::test_clip_keeps_both_views_one_guess",),
        sources=(Source("lucidrains/denoising-diffusion-pytorch", 84, "found and repaired on one day of 2022"),),
        trial="guided",
    ),
    Exhibit(
        name="no-clamp",
        title="The clamp that the paper does not mention",
        file="denoisers.py",
        before="x0 = self.denoise(xt, t).x0.clamp(self.low, self.high)",
        after="x0 = self.denoise(xt, t).x0",
        tests=("tests/test_denoisers.py::test_clip_keeps_both_views_one_guess",),
        sources=(
            Source("lucidrains/denoising-diffusion-pytorch", 47, "Algorithm 2 to the letter gave unstable samples"),
            Source("hojonathanho/diffusion", 5, "a reader asks the authors for it"),
        ),
        trial="guided",
    ),
    Exhibit(
        name="other-guidance-scale",
        title="Two formulas, one name",
        file="guidance.py",
        before="u + self.scale * (c - u)",
        after="c + self.scale * (c - u)",
        tests=("tests/test_denoisers.py::test_guidance_is_linear_in_the_scale",),
        sources=(
            Source("lucidrains/denoising-diffusion-pytorch", 155, "asked for as a correction, and rightly declined"),
            Source("huggingface/diffusers", 5882, "is this a bug? Two papers count from different ends"),
        ),
        trial="labelled",
    ),
)
