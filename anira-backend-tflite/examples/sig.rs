//! Temporary.
#![allow(missing_docs, clippy::print_stdout)]
use anira_backend_tflite::*;
use anira_traits::*;
fn main() {
    println!("version {:?}", TfLite.version());
    let x = std::env::var("XNN").unwrap_or("true".into());
    for p in std::env::args().skip(1) {
        let src = ModelSource::file(&p);
        let r = (|| -> Result<()> {
            let m = TfLite.load(&src, &LoadRequest::new().option("xnnpack", &*x))?;
            let shape = |t: &TensorInfo| t.shape.iter().map(|d| d.unwrap_or(100)).collect::<Vec<_>>();
            let s = m.signature();
            let mut e = m.engine(&EngineRequest::new(
                s.inputs.iter().map(shape).collect(),
                s.outputs.iter().map(|_| None).collect(),
            ))?;
            for i in 0..s.inputs.len() {
                let mut v = e.input(i).unwrap();
                for k in 0..v.len() {
                    v.set_number(k, 0.5);
                }
            }
            e.run()?;
            let t = std::time::Instant::now();
            for _ in 0..100 {
                e.run()?;
            }
            println!(
                "{p}: {:?} {:?}",
                t.elapsed() / 100,
                (0..s.outputs.len())
                    .map(|i| {
                        let o = e.output(i).unwrap();
                        (0..o.len().min(3)).map(|k| o.number(k).unwrap()).collect::<Vec<_>>()
                    })
                    .collect::<Vec<_>>()
            );
            Ok(())
        })();
        if let Err(e) = r {
            println!("{:?} {e}", e.kind());
        }
    }
    println!("threads {}", std::fs::read_dir("/proc/self/task").unwrap().count());
}
