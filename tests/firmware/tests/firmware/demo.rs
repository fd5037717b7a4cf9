//! The demo with real firmware in the first home: readings of a Cortex-M4 become a ticket, a call and a verdict.

use tests_firmware::board::{Board, Image, qemu};
use tests_hub::hub::{Lab, project};

#[tokio::test(flavor = "multi_thread")]
async fn the_demos_washing_machine_is_firmware_on_a_board() {
    let lab = Lab::new().unwrap();
    let (image, qemu, models) = (
        Image::C.file(Board::M4).unwrap(),
        qemu().unwrap(),
        project().join("models"),
    );
    let told = lab
        .run(&[
            "demo",
            "--headless",
            "--http",
            "127.0.0.1:0",
            "--models",
            models.to_str().unwrap(),
            "--firmware",
            image.to_str().unwrap(),
            "--qemu",
            qemu.to_str().unwrap(),
        ])
        .await
        .unwrap();
    assert!(told.contains("c-demo.elf, on a Cortex-M4"), "{told}");
    assert!(told.contains("the fix is proven"), "{told}");
    // All that the board was told is stored, and counted with what the other homes sent.
    let last = told.lines().last().unwrap();
    let words: Vec<&str> = last.split_whitespace().collect();
    let ["acknowledged", acknowledged, "=", "stored", stored] = words[..] else {
        panic!("{last}");
    };
    assert_eq!(acknowledged, stored);
    assert!(acknowledged.parse::<u64>().unwrap() > 1_000, "{last}");
}
