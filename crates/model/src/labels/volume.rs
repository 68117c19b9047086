//! What may stand behind `volume=`: `80gb:gp3:500mbs:4000iops`, each part known by its form.

use super::LabelError;
use super::keys::nearest;
use super::values::{Quantity, did_you_mean, given, mistake};
use super::word::{Setting, Word};
use crate::machine::{Volume, VolumeKind};

const HINT: &str = "write volume=80gb, volume=80gb:gp3 or volume=80gb:gp3:500mbs:4000iops";

/// The most of each is what the largest kind of volume takes: 64 TiB, 2,000 MiB/s (gp3) and 256,000
/// operations a second (io2).
const SIZE: Quantity = Quantity::new("volume", "GiB", 65_536);
const THROUGHPUT: Quantity = Quantity::new("volume", "MiB a second", 2_000);
const IOPS: Quantity = Quantity::new("volume", "operations a second", 256_000);

const KINDS: [VolumeKind; 5] = [
    VolumeKind::Gp2,
    VolumeKind::Gp3,
    VolumeKind::Io1,
    VolumeKind::Io2,
    VolumeKind::Standard,
];

/// Kinds of EBS that no instance boots from.
const NOT_BOOTABLE: [&str; 2] = ["st1", "sc1"];

pub(super) fn volume(setting: Setting<'_>) -> Result<Volume, LabelError> {
    let value = given(setting, HINT)?;
    let mut volume = Volume::default();
    for part in value.split(&[':']) {
        add(&mut volume, part)?;
    }
    fits_together(&volume).map_err(|problem| mistake(value, problem, HINT))?;
    Ok(volume)
}

fn add(volume: &mut Volume, part: Word<'_>) -> Result<(), LabelError> {
    let before = if let Some(size) = part.without_suffix("gb") {
        volume.size_gib.replace(SIZE.number(size, HINT)?).is_some()
    } else if let Some(most) = part.without_suffix("mbs") {
        let most = THROUGHPUT.number(most, HINT)?;
        volume.throughput_mibs.replace(most).is_some()
    } else if let Some(most) = part.without_suffix("iops") {
        volume.iops.replace(IOPS.number(most, HINT)?).is_some()
    } else {
        volume.kind.replace(kind(part)?).is_some()
    };
    if before {
        let problem = format!("{:?} says again what was said before", part.text);
        return Err(mistake(part, problem, HINT));
    }
    Ok(())
}

fn kind(part: Word<'_>) -> Result<VolumeKind, LabelError> {
    let is = |word: &str| word.eq_ignore_ascii_case(part.text);
    if let Some(kind) = KINDS.into_iter().find(|kind| is(kind.as_str())) {
        return Ok(kind);
    }
    if NOT_BOOTABLE.into_iter().any(is) {
        let problem = format!("no machine boots from a volume of kind {}", part.text);
        return Err(mistake(part, problem, HINT));
    }
    let problem = format!("{:?} is no part of a volume", part.text);
    let near = nearest(part.text, KINDS.into_iter().map(VolumeKind::as_str));
    Err(mistake(part, problem, did_you_mean(near, HINT)))
}

/// What EC2 would refuse whatever the image is.
fn fits_together(volume: &Volume) -> Result<(), String> {
    let Some(kind) = volume.kind else {
        return Ok(());
    };
    let (takes_throughput, takes_iops, needs_iops) = match kind {
        VolumeKind::Gp3 => (true, true, false),
        VolumeKind::Io1 | VolumeKind::Io2 => (false, true, true),
        VolumeKind::Gp2 | VolumeKind::Standard => (false, false, false),
    };
    if volume.throughput_mibs.is_some() && !takes_throughput {
        return Err(format!("a volume of kind {kind} takes no throughput"));
    }
    if volume.iops.is_some() && !takes_iops {
        return Err(format!("a volume of kind {kind} takes no number of iops"));
    }
    if volume.iops.is_none() && needs_iops {
        return Err(format!("a volume of kind {kind} needs a number of iops"));
    }
    Ok(())
}
