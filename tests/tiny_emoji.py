"""A folder of emoji in the layout of the real ones: coloured shapes, five vendors, captions in two languages."""

import csv

from PIL import Image, ImageDraw

from ddpm_lib.data.sheets import VENDORS

COLOURS = {"red": "红", "green": "绿", "blue": "蓝", "purple": "紫"}
SHAPES = {"heart": ("心", "smileys-emotion", "heart"), "apple": ("苹果", "food-drink", "food-fruit"),
          "fox": ("狐狸", "animals-nature", "animal-mammal"), "clock": ("钟", "travel-places", "time")}  # fmt: skip
FIELDS = ("vendor index hexcode emoji label_en tags_en label_zh tags_zh group subgroup emoji_version dup_of").split()


def write_emoji(root):
    """root/emoji with 16 emoji of each vendor, four of them clocks, one of them the pixel-equal repeat of another."""
    folder = root / "emoji"
    folder.mkdir(parents=True)
    rows = []
    for number, vendor in enumerate(VENDORS):
        sheet = Image.new("RGBA", (25 * 64, 64), (0, 0, 0, 0))
        for index, (colour, shape) in enumerate((c, s) for s in SHAPES for c in COLOURS):
            sheet.paste(tile(colour, shape, 2 * number), (64 * index, 0))
            word, group, subgroup = SHAPES[shape]
            repeat = "12" if (colour, shape) == ("green", "clock") else ""
            rows.append([vendor, index, "1F600", "😀", f"{colour} {shape}", f"{shape}|thing", COLOURS[colour] + word,
                         f"{word}|东西", group, subgroup, "1", repeat])  # fmt: skip
        sheet.save(folder / f"{vendor}.webp", lossless=True)
    with open(folder / "captions.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([FIELDS, *rows])
    return root


def tile(colour, shape, inset):
    """64 × 64, transparent but for the shape; `inset` pixels smaller all round."""
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    box = (4 + inset, 4 + inset, 59 - inset, 59 - inset)
    draw = ImageDraw.Draw(picture)
    if shape == "heart":
        draw.polygon([(box[0], 20), (32, box[3]), (box[2], 20)], fill=colour)
    elif shape == "apple":
        draw.ellipse(box, fill=colour)
    elif shape == "fox":
        draw.rectangle(box, fill=colour)
    else:
        draw.ellipse(box, outline=colour, width=6)
    return picture
