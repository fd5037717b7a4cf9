//! What the key-value store does while the power stays.

use agent_sdk_storage::sim::{Cut, SimFlash};
use agent_sdk_storage::{Area, Error, KEYS, KeyValue};

type Flash = SimFlash<8, 256>;

fn open(flash: &mut Flash) -> KeyValue {
    let area = Area::new(flash, 256, 256, 2).unwrap();
    KeyValue::open(flash, area).unwrap()
}

fn get(flash: &mut Flash, keys: &mut KeyValue, key: u8) -> Option<Vec<u8>> {
    let mut buffer = [0; 256];
    let len = keys.get(flash, key, &mut buffer).unwrap();
    len.map(|len| buffer[..len].to_vec())
}

#[test]
fn the_last_value_of_each_key_stays_through_many_pages_and_restarts() {
    let mut flash = Flash::new(4);
    let mut keys = open(&mut flash);
    keys.put(&mut flash, 31, b"the secret", &mut [0; 32]).unwrap();
    for round in 0..200_u8 {
        keys.put(&mut flash, round % 3, &[round; 20], &mut [0; 32]).unwrap();
        if round.is_multiple_of(7) {
            keys = open(&mut flash);
        }
        assert_eq!(get(&mut flash, &mut keys, round % 3), Some(vec![round; 20]));
        assert_eq!(get(&mut flash, &mut keys, 31), Some(b"the secret".to_vec()));
        if round >= 2 {
            let before = round - 2;
            assert_eq!(get(&mut flash, &mut keys, before % 3), Some(vec![before; 20]));
        }
    }
    assert_eq!(get(&mut flash, &mut keys, 30), None);
    assert_eq!(flash.faults(), 0);
    assert_eq!((flash.erases()[0], flash.erases()[3]), (0, 0), "outside its area");
}

#[test]
fn a_value_may_be_empty() {
    let mut flash = Flash::new(4);
    let mut keys = open(&mut flash);
    keys.put(&mut flash, 0, b"", &mut []).unwrap();
    assert_eq!(get(&mut flash, &mut keys, 0), Some(Vec::new()));
    let mut again = open(&mut flash);
    assert_eq!(get(&mut flash, &mut again, 0), Some(Vec::new()));
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let mut flash = Flash::new(4);
    let mut keys = open(&mut flash);
    keys.put(&mut flash, 0, &[1; 100], &mut [0; 100]).unwrap();
    keys.put(&mut flash, 1, &[2; 64], &mut [0; 100]).unwrap();
    let steps = flash.steps();
    assert_eq!(keys.put(&mut flash, 2, &[3; 64], &mut [0; 100]), Err(Error::Full));
    assert_eq!(keys.put(&mut flash, 1, &[3; 64], &mut [0; 99]), Err(Error::Buffer(100)));
    assert_eq!(keys.put(&mut flash, 1, &[3; 217], &mut [0; 100]), Err(Error::Length));
    assert_eq!(keys.put(&mut flash, KEYS as u8, &[3], &mut [0; 100]), Err(Error::Key));
    assert_eq!(keys.get(&mut flash, KEYS as u8, &mut [0; 100]), Err(Error::Key));
    assert_eq!(keys.get(&mut flash, 0, &mut [0; 99]), Err(Error::Buffer(100)));
    assert_eq!(flash.steps(), steps, "nothing was written");
    assert_eq!(get(&mut flash, &mut keys, 0), Some(vec![1; 100]));
    assert_eq!(get(&mut flash, &mut keys, 1), Some(vec![2; 64]));
    // In place of the old value there is room, in the next page.
    assert_eq!(keys.put(&mut flash, 1, &[4; 64], &mut [0; 100]), Ok(()));
    assert_eq!(get(&mut flash, &mut keys, 1), Some(vec![4; 64]));
}

#[test]
fn a_failed_put_may_be_tried_again_without_opening() {
    let mut flash = Flash::new(4);
    let mut keys = open(&mut flash);
    keys.put(&mut flash, 0, b"old", &mut []).unwrap();
    flash.cut_after(9, Cut::Garbage(1));
    assert!(keys.put(&mut flash, 0, b"new", &mut []).is_err());
    flash.restart();
    assert_eq!(get(&mut flash, &mut keys, 0), Some(b"old".to_vec()));
    keys.put(&mut flash, 0, b"new", &mut []).unwrap();
    assert_eq!(get(&mut flash, &mut keys, 0), Some(b"new".to_vec()));
    assert_eq!(flash.faults(), 0);
}

#[test]
fn a_damaged_value_gives_the_one_before() {
    let mut flash = Flash::new(4);
    let mut keys = open(&mut flash);
    keys.put(&mut flash, 0, &[1; 32], &mut []).unwrap();
    keys.put(&mut flash, 0, &[2; 32], &mut []).unwrap();
    // The first page lies at the second place of the area; its records begin at byte 32 and take 40 bytes.
    flash.damage(2 * 256 + 32 + 40 + 30, 0x01);
    let mut keys = open(&mut flash);
    assert_eq!(get(&mut flash, &mut keys, 0), Some(vec![1; 32]));
}
