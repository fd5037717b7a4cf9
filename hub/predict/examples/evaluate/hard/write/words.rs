//! What people read and hear of the model's faults, figures and conditions.

use std::collections::BTreeMap;

use hub_core::prediction::Severity;
use hub_core::site::Localised;
use hub_predict::manifest::FaultClass;

/// Class, severity, name and sentence, both in Chinese and in English.
const CLASSES: [(&str, Severity, [&str; 2], [&str; 2]); 7] = [
    (
        "drain_pump",
        Severity::Major,
        ["排水泵磨损或堵塞", "Drain pump worn or blocked"],
        [
            "它的数据显示，排水泵比平时更费力，可能快要坏了。",
            "Its readings show that the drain pump works harder than usual and may soon fail.",
        ],
    ),
    (
        "drum_bearing",
        Severity::Major,
        ["滚筒轴承磨损", "Drum bearing wearing out"],
        [
            "它的数据显示，滚筒的振动比平时大，轴承可能已经磨损。",
            "Its readings show that the drum shakes more than usual. A bearing may be worn.",
        ],
    ),
    (
        "damper",
        Severity::Major,
        ["减震器磨损", "Damper wearing out"],
        [
            "它的数据显示，滚筒加速时晃得比平时厉害，减震器可能已经磨损。",
            "Its readings show that the drum shakes more than usual before it spins. A damper may be worn.",
        ],
    ),
    (
        "heater_scale",
        Severity::Minor,
        ["加热管结垢", "Scale on the heater"],
        [
            "它的数据显示，加热比平时慢，加热管可能结了水垢。",
            "Its readings show that it heats more slowly than usual: the heater may be covered with scale.",
        ],
    ),
    (
        "door_gasket",
        Severity::Critical,
        ["门封圈渗漏", "Door seal leaking"],
        [
            "它的数据显示，门封圈可能开始漏水。",
            "Its readings show that the door seal may have begun to leak.",
        ],
    ),
    (
        "inlet_valve",
        Severity::Minor,
        ["进水阀堵塞", "Inlet valve clogged"],
        [
            "它的数据显示，进水比平时慢，进水阀可能堵了。",
            "Its readings show that it fills more slowly than usual: the inlet valve may be clogged.",
        ],
    ),
    (
        "drive_belt",
        Severity::Major,
        ["传动皮带打滑", "Drive belt slipping"],
        [
            "它的数据显示，电机转得比平时不稳，皮带可能打滑。",
            "Its readings show that the motor runs less evenly than usual: the drive belt may be slipping.",
        ],
    ),
];

/// Figures that faults move.
const FIGURES: [(&str, &str, &str); 13] = [
    ("drain_pump", "排水时的水泵电流", "pump current while draining"),
    ("spin_pump", "脱水时的水泵电流", "pump current while spinning"),
    ("draining", "水位下降速度", "fall of the water level while draining"),
    ("ramp_vibration", "加速时的振动", "vibration on the way to spinning"),
    (
        "full_to_ramp",
        "高速与加速时的振动之比",
        "vibration at full spin over that before it",
    ),
    ("knocks", "洗涤振动与负载之比", "vibration while washing, by load"),
    (
        "spin_to_wash",
        "脱水电流与负载之比",
        "motor current while spinning, by load",
    ),
    ("heater_draw", "加热管功率", "power of the heater"),
    ("heater_scatter", "加热功率的波动", "scatter of the heater's power"),
    ("leak", "洗涤时的失水", "loss of water while washing"),
    ("fill_rate", "进水速度", "rate of filling"),
    (
        "motor_scatter",
        "洗涤电流的波动",
        "scatter of the motor current while washing",
    ),
    ("ramp_speed", "加速时的转速", "drum speed on the way to spinning"),
];

/// What a run says of the conditions under which it worked.
const CONDITIONS: [(&str, &str, &str); 4] = [
    ("wash_level", "洗涤水位", "water level while washing"),
    ("wash_temperature", "洗涤水温", "water temperature while washing"),
    ("spin_speed", "脱水转速", "spin speed"),
    ("mains", "电源电压", "mains voltage"),
];

pub fn classes() -> Vec<FaultClass> {
    let class = |(name, severity, words, spoken): (&str, Severity, [&str; 2], [&str; 2])| FaultClass {
        name: name.to_owned(),
        words: localised(words[0], words[1]),
        spoken: localised(spoken[0], spoken[1]),
        severity,
        signature: BTreeMap::new(),
    };
    CLASSES.into_iter().map(class).collect()
}

pub fn of_figure(name: &str) -> Option<Localised> {
    find(&FIGURES, name)
}

pub fn of_condition(name: &str) -> Option<Localised> {
    find(&CONDITIONS, name)
}

fn find(words: &[(&str, &str, &str)], name: &str) -> Option<Localised> {
    let (_, zh_cn, en) = words.iter().find(|(of, ..)| *of == name)?;
    Some(localised(zh_cn, en))
}

fn localised(zh_cn: &str, en: &str) -> Localised {
    Localised {
        zh_cn: zh_cn.to_owned(),
        en: en.to_owned(),
    }
}
