"""What stands under each figure where its cell says nothing else: what to do, and what to notice."""

# A figure, or a figure and its variant (Figure.variant).
CAPTIONS = {
    "ForwardReverse": (
        "Drag the time from 0 to T. The picture drowns in noise and the points become one round cloud. Then choose"
        " Reverse: out of noise comes a picture again, but not the one you started from."
    ),
    "GuidanceMap": (
        "Move over the pictures, or walk with the arrow keys. Down a column the same start is pushed harder and harder"
        " towards its label. The blue bar is how often a judge sees that label, the orange bar how far apart the"
        " samples of a row still are. Watch the one fill while the other shrinks."
    ),
    "InkAndRestorer": (
        "Draw on the painting (keys: arrows and space), then press Restore. Where some of it is left, it stays what it"
        " was; where the ink is total, the restorer makes something up. Drown everything: a painting comes back, not"
        " the painting. Then let him know his works as wholes, or have seen this one too, and try again."
    ),
    "LossByTime": (
        "Drag on the curves or move t. Below you see what the network saw at that time, what it said, and where the"
        " difference lies. Where a floor is drawn, the shaded gap above it is all that training can still win."
    ),
    "NetworkInPage": (
        "Load the network, and it draws. Then try one step, two, five: when is it a digit? Try γ = 8. Choose “Restore"
        " mine”, scribble, and noise it to t = 300: your strokes stay. At t = 800 hardly anything of yours is left."
    ),
    "OneDimension/marginals": (
        "Draw a density with mouse or finger in the left panel (keys: ↑ ↓ choose a place, → ← raise and lower it) and"
        " move t. Two peaks, a needle, a plain: whatever you draw, at T it is almost N(0, 1)."
    ),
    "OneDimension/posterior": (
        "Click into the map, or move the point with the arrow keys. Orange on the left is p(x₀ | xₜ), and the dashed"
        " line leads to its mean, the best guess. Then lengthen the step back: a short one is a Gaussian, a long one"
        " has two minds."
    ),
    "OneDimension/samples": (
        "Press Play. Then choose “Back: DDIM”: the same starts, and lines that never cross. Take the steps down to 5"
        " and compare the bars at t = 0 with the true density. “Forward” walks the chain."
    ),
    "PictureProcess/forward": (
        "Choose a picture or drop your own, and move t. No grain agrees between left and right, yet the two histograms"
        " do, at every t. Forget √(1−β), and the deviation of the chain grows instead of settling at 1."
    ),
    "PictureProcess/back": (
        "Left the noisy picture, right what one stroke makes of it when ε is known up to an error. Move t towards T:"
        " the same error in the noise becomes a larger and larger error in the picture."
    ),
    "PipelineInPage": (
        "Type a word the model cannot know and see it in pieces. Load the model and draw. Keep the seed and change the"
        " style; keep the words and change the seed; name a colour to keep away from. When in the film is the shape"
        " settled, and when the colour?"
    ),
    "PromptFilm": (
        "Choose a prompt and play its film. Then compare the columns: without guidance (γ = 1) the seeds go their own"
        " ways. From which γ on do they agree with the prompt, and with one another? What does a large γ do to the"
        " colours?"
    ),
    "SamplerRace": (
        "Press “Fill in the curve”, then try calls of your own. Where does each sampler reach the grey band? Now put"
        " the times even in t: Heun gets better, DPM-Solver++ worse. And with η = 1 DDIM is DDPM."
    ),
    "ScheduleExplorer": (
        "Press “its betas, 50 steps”: most of the amplitude is left. Tick β × 1000/T: the end is mended, and the"
        " largest β is the price. Then press cosine and watch where SNR = 1 goes."
    ),
    "ScheduleExplorer/grey": (
        "Switch the data to [0, 1]: half the contrast, paper at grey, and less power. The dashed curve drops, and the"
        " SNR of this picture reaches 1 much earlier."
    ),
}
