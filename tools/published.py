"""Published numbers on CIFAR-10, each with the table it stands in: what a full-size run is to be compared with."""

# (model, network calls a sample, FID, bits/dim, source). FID: 50,000 samples, Inception features, training set.
CIFAR10 = [
    ("DDPM, $L_{simple}$, 35.7 M parameters", 1000, "3.17", "≤ 3.75", "Ho et al. 2020, Table 1"),
    ("DDPM, the true bound", 1000, "13.51", "≤ 3.70", "Ho et al. 2020, Table 1"),
    ("DDPM code (σ̂), fewer calls", 100, "9.99", "", "Song, Meng & Ermon 2021, Table 1"),
    ("DDPM code (σ̂), fewer calls", 10, "367.43", "", "Song, Meng & Ermon 2021, Table 1"),
    ("the same network, DDIM (η = 0)", 1000, "4.04", "", "Song, Meng & Ermon 2021, Table 1"),
    ("the same network, DDIM (η = 0)", 100, "4.16", "", "Song, Meng & Ermon 2021, Table 1"),
    ("the same network, DDIM (η = 0)", 50, "4.67", "", "Song, Meng & Ermon 2021, Table 1"),
    ("the same network, DDIM (η = 0)", 20, "6.84", "", "Song, Meng & Ermon 2021, Table 1"),
    ("the same network, DDIM (η = 0)", 10, "13.36", "", "Song, Meng & Ermon 2021, Table 1"),
    ("EDM, unconditional, Heun", 35, "1.97", "", "Karras et al. 2022, Table 2"),
    ("EDM, conditional, Heun", 35, "1.79", "", "Karras et al. 2022, Table 2"),
    ("StyleGAN2 + ADA, unconditional", 1, "3.26", "", "as quoted in Ho et al. 2020, Table 1"),
]

SCALE = (
    "FID in Inception features, 50,000 samples against the training set. It is a scale of its own: only numbers under a"
    " heading *Inception features* may be laid beside it, and of as many samples. The full names of the sources are in"
    " the [references](references.md)."
)

NOTES = (
    "One number says little by itself: the same DDPM samples score 3.17 against the statistics of the training set and"
    " 5.24 against those of the test set (Ho et al. 2020), and EDM's are the least of three runs (Karras et al. 2022)."
)
