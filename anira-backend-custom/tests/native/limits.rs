//! Every limit: what is as large is taken, what is one larger is `Unsupported` and says so.

use anira_backend_custom::native::{
    Activation, Conv1d, Gru, Lstm, MAX_EXTENT, MAX_LAYERS, MAX_WEIGHTS, NativeModel, Network, NetworkBackend,
    Signal,
};
use anira_traits::*;

/// What makes something of a size.
type Of<'a, T> = &'a dyn Fn(usize) -> Result<T>;

fn load(net: Network) -> Result<NativeModel> {
    NetworkBackend::new(net).load(&ModelSource::None, &LoadRequest::new())
}

/// A network of a single layer, laid out.
fn single(channels: usize, layer: impl Fn(&mut Network, Signal) -> Result<Signal>) -> Result<NativeModel> {
    let mut net = Network::new();
    let input = net.input(channels)?;
    let output = layer(&mut net, input)?;
    net.output(output)?;
    load(net)
}

#[track_caller]
fn refused(result: Result<NativeModel>, words: &[&str]) {
    let error = result.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}: {words:?}");
}

#[test]
fn extents() {
    let most = MAX_EXTENT.to_string();
    let zeros = |n: usize| vec![0.0; n];
    let channels = |n: usize| single(n, |net, x| net.activate(x, Activation::Relu));
    let outputs = |n: usize| single(1, |net, x| net.conv(x, Conv1d::dense(1, n, zeros(n))));
    let taps = |n: usize| single(1, |net, x| net.conv(x, Conv1d::new(1, 1, n, zeros(n))));
    let dilation = |n: usize| single(1, |net, x| net.conv(x, Conv1d::new(1, 1, 2, zeros(2)).dilation(n)));
    let in_a_window = |conv: Conv1d| {
        let mut net = Network::new().windowed(4);
        let input = net.input(1)?;
        let output = net.conv(input, conv)?;
        net.output(output)?;
        load(net)
    };
    let stride = |n: usize| in_a_window(Conv1d::new(1, 1, 2, zeros(2)).stride(n));
    let before = |n: usize| in_a_window(Conv1d::new(1, 1, 2, zeros(2)).padding(n, 0));
    let behind = |n: usize| in_a_window(Conv1d::new(1, 1, 2, zeros(2)).padding(0, n));
    let cases: [(&str, Of<'_, NativeModel>); 7] = [
        ("channels", &channels),
        ("outputs", &outputs),
        ("kernel", &taps),
        ("dilation", &dilation),
        ("stride", &stride),
        ("padding", &before),
        ("padding", &behind),
    ];
    for (field, of) in cases {
        assert!(of(MAX_EXTENT).is_ok(), "{field}: {:?}", of(MAX_EXTENT).err());
        refused(of(MAX_EXTENT + 1), &[field, &most]);
    }
}

#[test]
fn weights_of_a_layer() {
    // Rows of 8 · 512 gates: 1,024 numbers each are as many as there may be.
    let zeros = |n: usize| vec![0.0; n];
    let conv = |inputs: usize| {
        let mut net = Network::new();
        let x = net.input(inputs).unwrap();
        net.conv(x, Conv1d::dense(inputs, 4096, zeros(4096 * inputs)))
    };
    let lstm = |inputs: usize| {
        let (mut net, n) = (Network::new(), 512);
        let x = net.input(inputs).unwrap();
        let (own, state) = (zeros(4 * n * inputs), zeros(4 * n * n));
        net.lstm(x, Lstm::new(inputs, n, own, state, zeros(4 * n)))
    };
    let gru = |inputs: usize| {
        let (mut net, n) = (Network::new(), 512);
        let x = net.input(inputs).unwrap();
        let (own, state) = (zeros(3 * n * inputs), zeros(3 * n * n));
        net.gru(x, Gru::new(inputs, n, own, state, zeros(3 * n), zeros(3 * n)))
    };
    let most = MAX_WEIGHTS.to_string();
    let cases: [(usize, Of<'_, Signal>); 3] =
        [(1024, &conv), (2048 - 512, &lstm), (MAX_WEIGHTS / 1536 - 512, &gru)];
    for (inputs, of) in cases {
        assert!(of(inputs).is_ok(), "{:?}", of(inputs));
        let error = of(inputs + 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(&most), "{error}");
    }
}

#[test]
fn weights_of_a_network() {
    // The last of the room is taken by biases: zeros, where there are none.
    let of = |more: bool| {
        single(1023, |net, x| {
            let all = net.conv(x, Conv1d::dense(1023, 4096, vec![0.0; 4096 * 1023]))?;
            let curve = if more { Activation::PRelu(vec![0.5; 4096]) } else { Activation::Relu };
            net.activate(all, curve)
        })
    };
    assert_eq!(of(false).unwrap().weights(), MAX_WEIGHTS);
    refused(of(true), &["weights", &MAX_WEIGHTS.to_string()]);
}

#[test]
fn layers() {
    let of =
        |count: usize| single(1, |net, x| (1..count).try_fold(x, |x, _| net.activate(x, Activation::Relu)));
    assert!(of(MAX_LAYERS).is_ok());
    refused(of(MAX_LAYERS + 1), &["layers", &MAX_LAYERS.to_string()]);
}

#[test]
fn memory() {
    // A row of one channel takes eight floats.
    let window = |samples: usize| {
        let mut net = Network::new().windowed(samples);
        let input = net.input(1)?;
        net.output(input)?;
        load(net)
    };
    assert!(window(1 << 22).is_ok());
    refused(window((1 << 22) + 1), &["memory", "128 MB"]);
    // 64 samples of a block and 8 rows twice, behind what is remembered: 65,608 rows for each input.
    let past = |inputs: usize| {
        single(inputs, |net, x| {
            net.conv(x, Conv1d::new(inputs, 16, 2, vec![0.0; 32 * inputs]).dilation(MAX_EXTENT))
        })
    };
    assert!(past((1 << 25) / 65_608).is_ok());
    refused(past((1 << 25) / 65_608 + 1), &["memory", "128 MB"]);
}

#[cfg(feature = "json")]
#[test]
fn bytes_of_json() {
    use anira_backend_custom::native::Native;
    let of = |length: usize| {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/lstm.nam");
        let mut bytes = std::fs::read(file).unwrap();
        bytes.resize(length, b' ');
        Native.load(&ModelSource::memory(bytes), &LoadRequest::new())
    };
    assert!(of(1 << 24).is_ok());
    refused(of((1 << 24) + 1), &["16777217", "16777216"]);
}
