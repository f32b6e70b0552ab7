//! What a worker holds: each kind of thing that memory is charged for, and that gives it back when
//! it is dropped. Owns how each is made; which is made when is another file's.

use std::{
    fs::{self, File},
    io::{self, PipeReader, PipeWriter, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
};

use fastrand::Rng;
use memmap2::{Advice, MmapMut};
use rustix::event::{EventfdFlags, epoll, eventfd};

use super::{Place, raw};

/// Bytes of a page on the architectures that the tests run on.
pub(super) const PAGE: usize = 4096;

/// Bytes of a huge page.
const HUGE: usize = 2 << 20;

/// The pages of one write.
static CHUNK: [u8; 16 * PAGE] = [7; 16 * PAGE];

/// One thing that is held for what it costs.
pub(crate) enum Held {
    Memory(MmapMut),
    File(FileOnDisk),
    Folder { _folder: Folder },
    Pipe { _reader: PipeReader, _writer: PipeWriter },
    Sockets { _one: UnixStream, _other: UnixStream },
    Epoll { _epoll: OwnedFd, _watched: Vec<OwnedFd> },
}

/// A file that is deleted in the end.
pub(crate) struct FileOnDisk(PathBuf);

impl FileOnDisk {
    /// Makes it shorter or, without memory for the rest, longer.
    pub(super) fn set_len(&self, bytes: u64) -> io::Result<()> {
        File::options().write(true).open(&self.0)?.set_len(bytes)
    }
}

impl Drop for FileOnDisk {
    fn drop(&mut self) {
        // The mount it lies on is taken down after the test in any case.
        let _ = fs::remove_file(&self.0);
    }
}

/// A folder of files that is deleted in the end.
pub(crate) struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // As above.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All that a worker holds.
pub(super) struct Holdings {
    pub(super) held: Vec<Held>,
    tmpfs: PathBuf,
    ramfs: PathBuf,
    names: u64,
}

impl Holdings {
    pub(super) fn new(place: &Place) -> Self {
        Self { held: Vec::new(), tmpfs: place.tmpfs.clone(), ramfs: place.ramfs.clone(), names: 0 }
    }

    /// Maps anonymous memory and touches all of it.
    pub(super) fn touch(&mut self, pages: u64) -> io::Result<()> {
        let mut map = anonymous(usize::try_from(pages).unwrap_or(1) * PAGE)?;
        map.chunks_mut(PAGE).for_each(|page| page[0] = 1);
        self.held.push(Held::Memory(map));
        Ok(())
    }

    /// Maps anonymous memory and touches some of it.
    pub(super) fn touch_some(&mut self, rng: &mut Rng) -> io::Result<()> {
        let mut map = anonymous(rng.usize(1..1024) * PAGE)?;
        map.chunks_mut(PAGE).filter(|_| rng.bool()).for_each(|page| page[0] = 1);
        self.held.push(Held::Memory(map));
        Ok(())
    }

    /// Maps anonymous memory that may come in huge pages, and touches one byte of each.
    pub(super) fn touch_huge(&mut self, rng: &mut Rng) -> io::Result<()> {
        let mut map = anonymous(3 * HUGE)?;
        // A kernel without huge pages refuses; the memory is as good in small ones.
        let _ = map.advise(Advice::HugePage);
        let step = if rng.bool() { HUGE } else { PAGE };
        map.chunks_mut(step).for_each(|page| page[0] = 1);
        leave_as_it_is(&map);
        self.held.push(Held::Memory(map));
        Ok(())
    }

    pub(super) fn write_on_tmpfs(&mut self, pages: u64) -> io::Result<()> {
        let path = self.new_name(&self.tmpfs.clone());
        self.held.push(Held::File(FileOnDisk(path.clone())));
        write(&path, pages)
    }

    pub(super) fn write_on_ramfs(&mut self, pages: u64) -> io::Result<()> {
        let path = self.new_name(&self.ramfs.clone());
        self.held.push(Held::File(FileOnDisk(path.clone())));
        write(&path, pages)
    }

    /// Empty files in a folder: nothing but inodes and names.
    pub(super) fn make_files(&mut self, count: usize) -> io::Result<()> {
        let path = self.new_name(&self.tmpfs.clone());
        fs::create_dir(&path)?;
        self.held.push(Held::Folder { _folder: Folder(path.clone()) });
        (0..count).try_for_each(|index| {
            File::create(path.join(format!("a-name-long-enough-to-be-allocated-apart-{index}")))
                .map(drop)
        })
    }

    /// Pipes with unread bytes in them.
    pub(super) fn make_pipes(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let (reader, mut writer) = io::pipe()?;
            // A pipe takes 16 pages before it blocks.
            writer.write_all(&CHUNK[..12 * PAGE])?;
            self.held.push(Held::Pipe { _reader: reader, _writer: writer });
        }
        Ok(())
    }

    /// Pairs of sockets with unread bytes between them.
    pub(super) fn make_sockets(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let (mut one, other) = UnixStream::pair()?;
            one.write_all(&CHUNK[..4 * PAGE])?;
            self.held.push(Held::Sockets { _one: one, _other: other });
        }
        Ok(())
    }

    /// An epoll that watches event counters.
    pub(super) fn make_epoll(&mut self, count: u64) -> io::Result<()> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut watched = Vec::new();
        for index in 0..count {
            let counter = eventfd(0, EventfdFlags::CLOEXEC)?;
            let data = epoll::EventData::new_u64(index);
            epoll::add(&poll, &counter, data, epoll::EventFlags::IN)?;
            watched.push(counter);
        }
        self.held.push(Held::Epoll { _epoll: poll, _watched: watched });
        Ok(())
    }

    /// Gives part of a mapping back, or cuts a file, if what is drawn is one of these.
    pub(super) fn shrink_one(&mut self, rng: &mut Rng) -> io::Result<()> {
        let Some(index) = self.draw(rng) else { return Ok(()) };
        match &mut self.held[index] {
            Held::Memory(map) => {
                let pages = map.len() / PAGE;
                let first = rng.usize(0..pages);
                let count = rng.usize(1..=pages - first);
                raw::give_back(map, first * PAGE, count * PAGE)
            }
            Held::File(file) => file.set_len(rng.u64(0..200 * PAGE as u64)),
            _ => Ok(()),
        }
    }

    /// Drops about half of all.
    pub(super) fn let_go(&mut self, rng: &mut Rng) {
        self.held.retain(|_| rng.bool());
    }

    fn draw(&self, rng: &mut Rng) -> Option<usize> {
        (!self.held.is_empty()).then(|| rng.usize(0..self.held.len()))
    }

    fn new_name(&mut self, folder: &Path) -> PathBuf {
        self.names += 1;
        folder.join(format!("{}-{}", std::process::id(), self.names))
    }
}

/// Anonymous memory of this process alone, in small pages.
pub(crate) fn anonymous(bytes: usize) -> io::Result<MmapMut> {
    let map = MmapMut::map_anon(bytes)?;
    leave_as_it_is(&map);
    Ok(map)
}

/// Keeps the kernel from making huge pages of small ones later, when all should be quiet.
fn leave_as_it_is(map: &MmapMut) {
    // A kernel without huge pages refuses, and makes none.
    let _ = map.advise(Advice::NoHugePage);
}

fn write(path: &Path, pages: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut rest = usize::try_from(pages).unwrap_or(1) * PAGE;
    while rest > 0 {
        let chunk = rest.min(CHUNK.len());
        file.write_all(&CHUNK[..chunk])?;
        rest -= chunk;
    }
    Ok(())
}
