namespace Kvorum.Node.Tests;

/// <summary>What a node measures of its disk and how it paces what it sends: functions of time alone.</summary>
public sealed class DiskCareTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void Snapshots_are_sent_at_the_pace_given_and_never_faster()
    {
        var pace = new SnapshotPace(_time, bytesPerSecond: 1_000_000);
        long sent = 0;
        for (var ms = 0; ms < 10_000; ms++)
        {
            while (pace.IsFree)
            {
                pace.Spend(64 * 1024);
                sent += 64 * 1024;
            }

            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        // One burst of a tenth of a second and one chunk more than the rate.
        Assert.InRange(sent, 10_000_000 - 64 * 1024, 10_000_000 + 100_000 + 64 * 1024);
    }

    [Fact]
    public void What_was_not_sent_is_saved_up_for_a_tenth_of_a_second_only()
    {
        var pace = new SnapshotPace(_time, bytesPerSecond: 1_000_000);
        _time.Advance(TimeSpan.FromHours(1));
        var sent = 0;
        for (; pace.IsFree; sent += 10_000)
        {
            pace.Spend(10_000);
        }

        Assert.Equal(110_000, sent);
    }

    [Fact]
    public void One_slow_sync_is_no_slow_disk_but_most_of_nine_or_one_that_does_not_end_are()
    {
        var syncs = new SyncClock(_time);
        var limit = TimeSpan.FromMilliseconds(500);
        Sync(syncs, 600);
        Assert.False(syncs.IsSlowerThan(limit));
        for (var i = 0; i < 3; i++)
        {
            Sync(syncs, 600);
            Sync(syncs, 1);
        }

        Assert.False(syncs.IsSlowerThan(limit));
        Sync(syncs, 600);
        Assert.True(syncs.IsSlowerThan(limit));
        syncs.Forget();
        Assert.False(syncs.IsSlowerThan(limit));
        for (var i = 0; i < 9; i++)
        {
            Sync(syncs, 1);
        }

        syncs.Begin();
        _time.Advance(limit);
        Assert.False(syncs.IsSlowerThan(limit));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(syncs.IsSlowerThan(limit));
    }

    [Fact]
    public void A_full_disk_admits_what_the_segments_at_hand_can_take_but_the_reserve()
    {
        var room = new LogRoom(reserveBytes: 1000);
        room.OnQueued(100_000);
        Assert.True(room.Admits(long.MaxValue / 2));
        room.OnWritten(100_000, available: 5000);
        room.OnFull();
        Assert.True(room.Admits(4000));
        Assert.False(room.Admits(4001));
        room.OnQueued(3000);
        Assert.True(room.Admits(1000));
        Assert.False(room.Admits(1001));
        room.OnWritten(3000, available: 1900);
        Assert.True(room.Admits(900));
        Assert.False(room.Admits(901));
        room.OnRoom();
        Assert.True(room.Admits(long.MaxValue / 2));
    }

    private void Sync(SyncClock syncs, int milliseconds)
    {
        syncs.Begin();
        _time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        Assert.Equal(milliseconds, (int)syncs.End().TotalMilliseconds);
    }

    private sealed class ManualTime : TimeProvider
    {
        private long _now = 1_000_000;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan by) => _now += by.Ticks;
    }
}
