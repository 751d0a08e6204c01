"""Success rates that DexGraspVLA (arXiv 2502.20900v5, tables 1 and 3 to 5) was measured with on the real robot."""

# (what, number of tests, percent after 1, 2 and 3 attempts as far as they were published), by the suite that asks the
# same. The objects, and everything else of the real world, are others: they show the order of magnitude.
BY_SUITE: dict[str, tuple[tuple[str, int, tuple[float, ...]], ...]] = {
    "unseen_objects": (("unseen objects", 360, (91.1, 95.3, 96.7)),),
    "unseen_backgrounds": (("unseen objects, six backgrounds", 618, (90.5, 94.2, 96.7)),),
    "unseen_lighting": (("unseen objects, three lightings", 309, (90.9, 95.1, 97.4)),),
    "generalization": (("objects, backgrounds and lightings together", 1287, (90.8, 94.7, 96.9)),),
    "baselines": (
        ("DexGraspVLA", 132, (91.7,)),
        ("RDT, fine-tuned", 132, (31.1,)),
        ("pi0, fine-tuned", 132, (30.3,)),
        ("OpenVLA-OFT, LoRA", 132, (30.3,)),
        ("OpenVLA, LoRA", 132, (12.9,)),
    ),
    "single_object": (
        ("DexGraspVLA", 210, (98.6,)),
        ("ViT-small encoders", 210, (50.5,)),
        ("DINOv2 trained along", 210, (34.8,)),
    ),
    "planner_boxes": (("a real planner's boxes, judged by eye", 150, (99.3,)),),
    "long_horizon": (("DexGraspVLA, whole tasks", 96, (89.6,)),),
    "nonprehensile": (
        ("DexGraspVLA", 144, (84.7,)),
        ("DINOv2 trained along", 144, (66.0,)),
        ("ViT-small encoders", 144, (39.6,)),
    ),
}
# Stages of prompts for several objects, 24 scenes for each: percent, but for the attempts. A proposal, a box, a grasp
# and a completion check come once in each round; grasp verification was not published.
PROMPTS = ("Clear the table", "Grasp all green objects", "Grasp all bottles", "Grasp all food", "all prompts")
BY_STAGE = {
    "whole task": dict(zip(PROMPTS, (95.8, 87.5, 91.7, 83.3, 89.6), strict=True)),
    "attempts per object": dict(zip(PROMPTS, (1.09, 1.14, 1.09, 1.19, 1.12), strict=True)),
    "instruction proposal": dict(zip(PROMPTS, (100.0, 92.6, 94.3, 88.1, 94.3), strict=True)),
    "bounding box": dict(zip(PROMPTS, (98.7, 98.2, 98.1, 98.3, 98.4), strict=True)),
    "grasp": dict(zip(PROMPTS, (91.0, 92.6, 92.5, 91.5, 92.2), strict=True)),
    "completion check": dict(zip(PROMPTS, (98.7, 94.4, 96.2, 94.9, 96.3), strict=True)),
}
# Percent after one attempt under each table top and lighting, 103 tests each.
_BY_TABLE = {
    "black_mouse_pad": 94.2,
    "pink_towel": 84.5,
    "colourful_cloth": 90.3,
    "black_white_pad": 92.2,
    "wood": 93.2,
    "calibration_board": 88.3,
}
_BY_LIGHTING = {"disco": 92.2, "lamp": 89.3, "dark": 91.2}
_BY_PART = {"unseen_objects": 91.1, "unseen_backgrounds": 90.5, "unseen_lighting": 90.9}
# Suite -> name of a group -> percent. Of the boxes: 29 of 30 prompts, 60 of 60 and 60 of 60.
BY_LEVEL = {
    "unseen_backgrounds": _BY_TABLE,
    "unseen_lighting": _BY_LIGHTING,
    "generalization": _BY_PART | _BY_TABLE | _BY_LIGHTING,
    "baselines": {
        "seen": 91.7,
        "unseen": 91.7,
        "disco": 87.5,
        "lamp": 91.7,
        "black_white_pad": 91.7,
        "colourful_cloth": 95.8,
    },
    "single_object": {"seen": 98.5, "unseen": 98.8},
    "nonprehensile": {"disco": 77.8},
    "planner_boxes": {"none": 96.7, "background": 100.0, "lighting": 100.0},
}
