//! What people read and hear of a model's faults, figures and conditions.

use std::collections::BTreeMap;

use hub_core::prediction::Severity;
use hub_core::site::Localised;
use hub_predict::manifest::FaultClass;

/// Class, severity, name and sentence, both in Chinese and in English.
type Class = (&'static str, Severity, [&'static str; 2], [&'static str; 2]);
/// Name, and what it is in Chinese and in English.
type Named = (&'static str, &'static str, &'static str);

/// What is told of an appliance model.
pub struct Words {
    /// Version of the folder.
    pub version: u32,
    /// Appliances that it is for.
    pub of: &'static str,
    /// One of them.
    pub unit: &'static str,
    /// From when on one is watched.
    pub watched: &'static str,
    /// Part of the evaluation that judges it.
    pub part: &'static str,
    classes: &'static [Class],
    /// Figures that faults move.
    figures: &'static [Named],
    /// What a step says of the conditions under which it worked.
    conditions: &'static [Named],
}

/// What is told of washing machines.
pub const WASHING_MACHINE: Words = Words {
    version: 2,
    of: "washing machines that report the channels of `models/profiles/washing-machine.toml`, one row a minute while a programme runs",
    unit: "machine",
    watched: "A machine is watched after 20 runs for faults with a name, and after 40 for what has none. A ticket stands by two runs, a call \
              by three.",
    part: "hard",
    classes: &[
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
    ],

    figures: &[
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
    ],

    conditions: &[
        ("wash_level", "洗涤水位", "water level while washing"),
        ("wash_temperature", "洗涤水温", "water temperature while washing"),
        ("spin_speed", "脱水转速", "spin speed"),
        ("mains", "电源电压", "mains voltage"),
    ],
};

/// What is told of fridges.
pub const FRIDGE: Words = Words {
    version: 1,
    of: "fridges that report the channels of `models/profiles/fridge.toml`, one row every five minutes",
    unit: "fridge",
    watched: "A fridge is watched after 20 days for faults with a name, and after 40 for what has none. A ticket stands by two days, a call by \
              three.",
    part: "fridge",
    classes: &[
        (
            "gas_loss",
            Severity::Major,
            ["制冷剂泄漏", "Refrigerant being lost"],
            [
                "它的数据显示，压缩机工作得比平时久，却不如平时冷，制冷剂可能在泄漏。",
                "Its readings show that the compressor runs longer than usual for the same cold. Refrigerant may be leaking.",
            ],
        ),
        (
            "evaporator_fan",
            Severity::Major,
            ["蒸发器风扇变慢", "Evaporator fan slowing down"],
            [
                "它的数据显示，冷气送不到冷藏室，里面的风扇可能快要坏了。",
                "Its readings show that less cold reaches the compartment than usual. The fan inside may soon fail.",
            ],
        ),
        (
            "condenser_fan",
            Severity::Major,
            ["冷凝器风扇变慢", "Condenser fan slowing down"],
            [
                "它的数据显示，背后散热比平时差，散热风扇可能快要坏了。",
                "Its readings show that it gives off its heat less well than usual. The fan at its back may soon fail.",
            ],
        ),
        (
            "door_seal",
            Severity::Minor,
            ["门封条漏气", "Door seal letting air in"],
            [
                "它的数据显示，压缩机工作得比平时久，门封条可能漏气。",
                "Its readings show that the compressor runs longer than usual. The door seal may let warm air in.",
            ],
        ),
        (
            "compressor_wear",
            Severity::Major,
            ["压缩机磨损", "Compressor wearing out"],
            [
                "它的数据显示，压缩机比平时更耗电，可能已经磨损。",
                "Its readings show that the compressor takes more power than usual. It may be worn.",
            ],
        ),
        (
            "start_relay",
            Severity::Critical,
            ["启动继电器故障", "Start relay failing"],
            [
                "它的数据显示，压缩机启动困难，启动继电器可能快要坏了。",
                "Its readings show that the compressor has trouble starting. Its start relay may soon fail.",
            ],
        ),
        (
            "defrost_heater",
            Severity::Major,
            ["化霜加热器故障", "Defrost heater failing"],
            [
                "它的数据显示，化霜加热不足，里面可能结冰。",
                "Its readings show that it defrosts with less heat than usual. Ice may build up inside.",
            ],
        ),
    ],
    figures: &[
        ("work", "压缩机运行占比", "share of the day that the compressor works"),
        (
            "condenser_lift",
            "冷凝器高出室温",
            "condenser above the room while it works",
        ),
        (
            "evaporator_lift",
            "蒸发器低于冷藏室",
            "evaporator below the compartment while it works",
        ),
        ("running_power", "压缩机运行功率", "power while the compressor works"),
        ("start_current", "启动电流", "peak current of a start"),
        ("start_peak", "一天中最高的启动电流", "highest peak of a day's starts"),
        ("start_run", "启动后运行占比", "running behind a start"),
        ("defrost_power", "化霜功率", "power of a defrost"),
    ],
    // Channels of the profile, which has words for them.
    conditions: &[],
};

impl Words {
    pub fn classes(&self) -> Vec<FaultClass> {
        let class = |(name, severity, words, spoken): &Class| FaultClass {
            name: (*name).to_owned(),
            words: localised(words[0], words[1]),
            spoken: localised(spoken[0], spoken[1]),
            severity: *severity,
            signature: BTreeMap::new(),
        };
        self.classes.iter().map(class).collect()
    }

    pub fn of_figure(&self, name: &str) -> Option<Localised> {
        find(self.figures, name)
    }

    pub fn of_condition(&self, name: &str) -> Option<Localised> {
        find(self.conditions, name)
    }
}

fn find(words: &[Named], name: &str) -> Option<Localised> {
    let (_, zh_cn, en) = words.iter().find(|(of, ..)| *of == name)?;
    Some(localised(zh_cn, en))
}

fn localised(zh_cn: &str, en: &str) -> Localised {
    Localised {
        zh_cn: zh_cn.to_owned(),
        en: en.to_owned(),
    }
}
