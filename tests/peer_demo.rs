//! The scenes of the demo, played directly against the server.

use std::time::Duration;

use bitstap::peer::{Demo, DemoConfig, scenes};

#[tokio::test]
async fn every_scene_ends_as_it_should_and_again() {
    let demo = Demo::start(DemoConfig::default()).await.unwrap();
    for _ in 0..2 {
        for scene in scenes() {
            let outcome = demo
                .play(scene, demo.address(), Duration::ZERO)
                .await
                .unwrap_or_else(|error| panic!("{}: {error:?}", scene.name));
            assert_eq!(outcome.scene, scene.name);
            assert!(!outcome.story.is_empty(), "{}", scene.name);
        }
    }
}

#[tokio::test]
async fn scenes_of_different_names_play_side_by_side() {
    let demo = Demo::start(DemoConfig::default()).await.unwrap();
    let plays = scenes()
        .iter()
        .map(|scene| demo.play(scene, demo.address(), Duration::ZERO));
    for outcome in futures_util::future::join_all(plays).await {
        outcome.unwrap();
    }
}

#[test]
fn eight_scenes_with_a_sentence_each() {
    assert_eq!(scenes().len(), 8);
    for scene in scenes() {
        assert!(scene.about.ends_with('.'), "{}", scene.about);
    }
}
